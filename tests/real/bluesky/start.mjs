// A whole Bluesky network (PLC directory, PDS, AppView) on 127.0.0.1, from the makers' own package.
//
//   DYZUR_POSTGRES_URL=postgres://... node start.mjs DIRECTORY_WITH_NODE_MODULES
//
// Prints one line of JSON with the URLs once everything answers, and stops on SIGTERM, SIGINT or the end of stdin
// (so it cannot outlive a test run that was killed).

import { createRequire } from 'node:module'
import dns from 'node:dns'
import net from 'node:net'
import path from 'node:path'

const LOOPBACK = '127.0.0.1'
const GIVE_UP_CLOSING_AFTER_MS = 10_000

const modules = process.argv[2]
const postgres = process.env.DYZUR_POSTGRES_URL
if (!modules || !postgres) {
  console.error('usage: DYZUR_POSTGRES_URL=postgres://... node start.mjs DIRECTORY_WITH_NODE_MODULES')
  process.exit(2)
}

// The servers say listen(port) and would be open to the whole neighbourhood.
const listen = net.Server.prototype.listen
net.Server.prototype.listen = function (first, ...rest) {
  if (first !== null && typeof first === 'object') {
    const pinned = 'path' in first || 'fd' in first ? first : { ...first, host: LOOPBACK }
    return listen.call(this, pinned, ...rest)
  }
  const callback = rest.filter((argument) => typeof argument === 'function')
  return listen.call(this, { port: Number(first ?? 0), host: LOOPBACK }, ...callback)
}
// They call each other as "localhost", which may mean ::1, where nobody listens now.
dns.setDefaultResultOrder('ipv4first')

// Whatever the servers print must not mix with our one line.
console.log = console.error
console.info = console.error

// The AppView wants the variable, but talks to no redis in this set-up.
process.env.REDIS_HOST ??= LOOPBACK

const require = createRequire(path.join(path.resolve(modules), 'package.json'))
const { TestNetwork } = require('@atproto/dev-env')

const network = await TestNetwork.create({
  dbPostgresUrl: postgres,
  dbPostgresSchema: 'dyzur',
  // As bsky.social does: limits announced in headers, the DID document beside the session.
  pds: { hostname: 'localhost', enableDidDocWithSession: true, rateLimitsEnabled: true },
})

let closing = false
async function stop() {
  if (closing) return
  closing = true
  setTimeout(() => process.exit(1), GIVE_UP_CLOSING_AFTER_MS).unref()
  await network.close()
  process.exit(0)
}
process.on('SIGTERM', stop)
process.on('SIGINT', stop)
process.stdin.on('end', stop)
process.stdin.on('close', stop)
process.stdin.resume()

const onLoopback = (url) => url.replace('//localhost:', `//${LOOPBACK}:`)
process.stdout.write(
  JSON.stringify({
    plc: onLoopback(network.plc.url),
    pds: onLoopback(network.pds.url),
    appview: onLoopback(network.bsky.url),
  }) + '\n',
)

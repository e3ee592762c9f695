// One line to the server for all tabs of this browser: a browser opens only six to one host, and each tab wants one.
const ports = new Set();
let source = null;
let up = false;

function tell(message) {
  for (const port of ports) port.postMessage(message);
}

function listen() {
  source = new EventSource("/live");
  source.onopen = () => { up = true; tell({ up }); };
  source.onmessage = (event) => tell({ up: true, seen: JSON.parse(event.data).seen });
  source.onerror = () => {
    up = false;
    tell({ up });
    if (source.readyState === EventSource.CLOSED) {
      source = null;
      setTimeout(() => { if (ports.size && !source) listen(); }, 15000);
    }
  };
}

self.onconnect = (event) => {
  const port = event.ports[0];
  ports.add(port);
  port.onmessage = (message) => { if (message.data === "bye") ports.delete(port); };
  port.start();
  port.postMessage({ up });
  if (!source) listen();
};

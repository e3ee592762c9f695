# Dyżur in a container: one image, everything in /data (config.toml, secrets/, var/ with the database).
#   docker build -t dyzur . && docker run -v dyzur:/data -p 127.0.0.1:8710:8710 dyzur
FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE config.toml ./
COPY social social
COPY connectors connectors
COPY triage triage
COPY responders responders
RUN python -m venv /opt/dyzur && /opt/dyzur/bin/pip install --no-cache-dir ".[postgres,notify]"

FROM python:3.12-slim
RUN useradd --system --uid 10001 --home-dir /data --create-home dyzur
COPY --from=build /opt/dyzur /opt/dyzur
ENV PATH=/opt/dyzur/bin:$PATH PYTHONUNBUFFERED=1
USER dyzur
WORKDIR /data
VOLUME /data
EXPOSE 8710
# A container that listens on 127.0.0.1 is reached by nobody; behind a proxy with TLS the desk listens on all its addresses
# once config.toml says [web] behind_proxy = true, address = "https://...", host = "0.0.0.0".
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8710/healthz', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["social"]
CMD ["run"]

"""The desk in the browser: pages that work without a script, made on the server, in Polish and English."""

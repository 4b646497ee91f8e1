// Does nothing until it is stopped.
setInterval(() => {}, 60_000);

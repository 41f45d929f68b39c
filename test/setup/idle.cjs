// Does nothing until it is ended: a stranger for tests of who is ended and who is not.
setInterval(() => undefined, 1_000);

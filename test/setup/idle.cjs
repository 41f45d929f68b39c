// Answers what it is told and does nothing else: a stranger, for tests of who is ended and who is left alone.
process.on('message', (message) => process.send(message));

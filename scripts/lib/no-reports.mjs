// Loaded into every test process: from Node 24 on the test runner lets a process write a report at SIGUSR2, which is a handler
// that tests of signals have not set, and files that nobody reads.
if (process.report?.reportOnSignal) process.report.reportOnSignal = false;

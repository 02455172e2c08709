/** A worker of another version of the program. */
process.send?.({ ossgate: "worker", body: { say: "hello", protocol: 0 } });
process.on("disconnect", () => process.exit(0));

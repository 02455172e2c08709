/** A worker program that ends at once. */
process.exit(7);

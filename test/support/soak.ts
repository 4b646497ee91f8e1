/** Whether this is the long run (`npm run bench -- soak`), which does in full what `npm test` does in part. */
export const isSoak = process.env.SALLYPORT_TEST_SOAK === "1";

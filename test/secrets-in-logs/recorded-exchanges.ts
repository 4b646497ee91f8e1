/** One HTTP request with its answer, complete. */
export interface Exchange {
  readonly method: string;
  readonly url: URL;
  readonly requestHeaders: Headers;
  readonly requestBody: string;
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

/** A fetch that keeps all that it sends and gets. Bodies are read to their end first, so not for endless streams. */
export const recordingFetch =
  (base: Fetch, exchanges: Exchange[]): Fetch =>
  async (input, init) => {
    const request = new Request(input, init);
    const requestBody = await request.clone().text();
    const response = await base(request);
    exchanges.push({
      method: request.method,
      url: new URL(request.url),
      requestHeaders: request.headers,
      requestBody,
      status: response.status,
      headers: response.headers,
      body: await response.clone().text(),
    });
    return response;
  };

// The person sits at the other end of a pipe: an address goes out, the address of the redirect comes back.
import { createInterface } from "node:readline";

export async function ask(url) {
  console.log(url);
  const lines = createInterface({ input: process.stdin });
  for await (const line of lines) {
    lines.close();
    return new URL(line);
  }
}

export const issuer = process.argv[2];
export const fhir = `${issuer}/fhir`;

/** Text from a file or a pipe, whatever editor or shell wrote it. */

/**
 * Its text without a byte order mark: UTF-8, or UTF-16 little-endian as PowerShell writes it with `>`.
 * Bytes that are no UTF-8 become U+FFFD, which nothing here takes.
 */
export function decodeText(bytes: Buffer): string {
  const isUtf16 = bytes[0] === 0xff && bytes[1] === 0xfe;
  return new TextDecoder(isUtf16 ? "utf-16le" : "utf-8").decode(bytes);
}

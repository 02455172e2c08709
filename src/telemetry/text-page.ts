/** Characters that are gathered before they become bytes. */
const PIECE_CHARACTERS = 16 * 1024;

/**
 * A long text in UTF-8 that is put together of many short ones. One string of 20,000 pieces is held together by as many
 * objects until it is read, all of which garbage collection copies; bytes cost it nothing.
 */
export class TextPage {
  readonly #pieces: Buffer[] = [];
  #text = "";

  add(text: string): void {
    this.#text += text;
    if (this.#text.length >= PIECE_CHARACTERS) this.#flush();
  }

  /** All that was added. */
  bytes(): Buffer {
    this.#flush();
    return Buffer.concat(this.#pieces);
  }

  #flush(): void {
    if (this.#text === "") return;
    this.#pieces.push(Buffer.from(this.#text));
    this.#text = "";
  }
}

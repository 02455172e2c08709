/** What can stand in one {@link Queue} at a time. */
export abstract class Queued<T extends Queued<T>> {
  queue: Queue<T> | null = null;
  next: T | null = null;
  previous: T | null = null;
}

/** A doubly linked list: thousands of waiting transfers come, go and leave from the middle, each in constant time. */
export class Queue<T extends Queued<T>> {
  size = 0;
  first: T | null = null;
  #last: T | null = null;

  push(item: T): void {
    item.queue = this;
    item.previous = this.#last;
    if (this.#last === null) this.first = item;
    else this.#last.next = item;
    this.#last = item;
    this.size += 1;
  }

  unshift(item: T): void {
    item.queue = this;
    item.next = this.first;
    if (this.first === null) this.#last = item;
    else this.first.previous = item;
    this.first = item;
    this.size += 1;
  }

  /** @param item stands in this queue */
  remove(item: T): void {
    if (item.previous === null) this.first = item.next;
    else item.previous.next = item.next;
    if (item.next === null) this.#last = item.previous;
    else item.next.previous = item.previous;
    item.queue = null;
    item.next = null;
    item.previous = null;
    this.size -= 1;
  }
}

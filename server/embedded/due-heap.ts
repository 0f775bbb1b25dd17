/** Something that is due at some time. The heap keeps `place`; whoever changes the rest says so by {@link DueHeap.put}. */
export interface Due {
  dueAt: number;
  /** Of what is due at the same time, the lowest is first. */
  order: number;
  /** Where in the heap it is; -1 if it is not. */
  place: number;
}

/** A binary heap, the earliest first, in which each item knows its place and so can be moved and taken out. */
export class DueHeap<Item extends Due> {
  readonly #items: Item[] = [];

  get size(): number {
    return this.#items.length;
  }

  get first(): Item | undefined {
    return this.#items[0];
  }

  /** Adds the item, or moves it to where it belongs by now. */
  put(item: Item): void {
    if (item.place < 0) {
      item.place = this.#items.length;
      this.#items.push(item);
    }
    this.#settle(item);
  }

  /** To no effect if it is not there. */
  remove(item: Item): void {
    const { place } = item;
    if (place < 0) return;
    item.place = -1;
    const last = this.#items.pop()!;
    if (last === item) return;
    last.place = place;
    this.#settle(last);
  }

  /** Moves the item, which stands at its `place` or is about to, up or down. */
  #settle(item: Item): void {
    const items = this.#items;
    let { place } = item;
    while (place > 0) {
      const parent = items[(place - 1) >> 1]!;
      if (isBefore(parent, item)) break;
      this.#set(parent, place);
      place = (place - 1) >> 1;
    }
    for (;;) {
      let child = 2 * place + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && isBefore(items[child + 1]!, items[child]!)) child++;
      if (isBefore(item, items[child]!)) break;
      this.#set(items[child]!, place);
      place = child;
    }
    this.#set(item, place);
  }

  #set(item: Item, place: number): void {
    this.#items[place] = item;
    item.place = place;
  }
}

function isBefore(a: Due, b: Due): boolean {
  return a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.order < b.order);
}

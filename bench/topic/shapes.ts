/** Binding keys of one kind, and routing keys that each match exactly one of them, with or without 100,000 others. */
export interface Shape {
  /** A binding key of it. */
  readonly name: string;
  /** The binding key number `index`. */
  binding(index: number): string;
  /** A routing key for that binding: another one for each `serial`, so that no cache knows it. */
  key(index: number, serial: number): string;
}

/** Words that many bindings have in common; steps that share no factor with their number visit all of them. */
const commonWords = 1000;
const common = (index: number, step: number) => `w${(index * step) % commonWords}`;

const threeKinds: readonly Shape[] = [
  {
    name: "#.n7.placed",
    binding: (index) => `#.n${index}.placed`,
    key: (index, serial) => `order.c${serial}.n${index}.placed`,
  },
  {
    name: "order.#.n7",
    binding: (index) => `order.#.n${index}`,
    key: (index, serial) => `order.c${serial}.n${index}`,
  },
  {
    name: "order.n7.#",
    binding: (index) => `order.n${index}.#`,
    key: (index, serial) => `order.n${index}.c${serial}.placed`,
  },
];

export const shapes: readonly Shape[] = [
  {
    name: "order.*.n7.*",
    binding: (index) => `order.*.n${index}.*`,
    key: (index, serial) => `order.c${serial}.n${index}.placed`,
  },
  {
    name: `${threeKinds.map(({ name }) => name).join(", ")} in turn`,
    binding: (index) => threeKinds[index % 3]!.binding(index),
    key: (index, serial) => threeKinds[index % 3]!.key(index, serial),
  },
  {
    name: "#.a7.#.b7.#.c7.#",
    binding: (index) => `#.a${index}.#.b${index}.#.c${index}.#`,
    key: (index, serial) => `x${serial}.a${index}.y.b${index}.z.c${index}.w`,
  },
  {
    name: "#.a.#.b.#.c.#.n7.#",
    binding: (index) => `#.a.#.b.#.c.#.n${index}.#`,
    key: (index, serial) => `x${serial}.a.y.b.z.c.w.n${index}.v`,
  },
  {
    name: "#.#.*.#.n7.#.#",
    binding: (index) => `#.#.*.#.n${index}.#.#`,
    key: (index, serial) => `x${serial}.y.n${index}.z`,
  },
  {
    name: "#.w3.#.w8.#.n7",
    binding: (index) => `#.${common(index, 7919)}.#.${common(index, 104_729)}.#.n${index}`,
    key: (index, serial) => {
      const [first, second] = [common(index, 7919), common(index, 104_729)];
      return `x${serial}.${first}.${common(serial, 31)}.${second}.${common(serial, 77)}.n${index}`;
    },
  },
];

/** The numbers of the binary encoding, apart from the table of frames so that clients need not carry that. Never reused. */

export const messageFrameCodes = { publish: 1, deliver: 2, confirm: 3, return: 4, settle: 5 } as const;

/** Outcomes of a settlement. */
export const outcomeCodes = { ack: 1, requeue: 2, reject: 3, release: 5 } as const;

export type Outcome = keyof typeof outcomeCodes;

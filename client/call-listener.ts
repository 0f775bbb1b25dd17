/** Calls what a program passed in. As with any event target, a listener's mistake is the program's, not the caller's. */
export function callListener(call: () => void): void {
  try {
    call();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

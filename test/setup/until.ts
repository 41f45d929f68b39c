/** Waits for a condition, never for a time; gives up, loudly, after `limitMs`. */
export async function until(condition: () => boolean | Promise<boolean>, what: string, limitMs = 15_000, everyMs = 20): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

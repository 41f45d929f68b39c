/** How long a step must last, without a terminal, before a line is spent on it, ms. */
const PLAIN_LINE_EVERY_MS = 10_000;

export interface Tracked {
  step(text: string): void;
  done(text: string): void;
  fail(text: string): void;
}

/** A list of things under way, each with a line that says where it is. */
export interface Progress {
  of(name: string): Tracked;
  /** Resolves when every line has ended, well or not. */
  readonly finished: Promise<void>;
}

interface Item {
  readonly title: string;
  output: (text: string) => void;
  retitle: (text: string) => void;
  end: (fault?: Error) => void;
  readonly ended: Promise<void>;
  said: string;
}

/** Shows the named things side by side: moving lines on a terminal, plain ones elsewhere. */
export async function showProgress(titles: Readonly<Record<string, string>>): Promise<Progress> {
  const { Listr } = await import('listr2');
  const items = new Map(Object.entries(titles).map(([name, title]) => [name, newItem(title)]));
  const plain = !process.stdout.isTTY;
  const list = new Listr(
    [...items.values()].map((item) => ({
      title: item.title,
      task: async (_context, task): Promise<void> => {
        let saidAt = Date.now();
        item.output = (text) => {
          if (plain && Date.now() - saidAt < PLAIN_LINE_EVERY_MS) return;
          saidAt = Date.now();
          task.output = text;
        };
        item.retitle = (text) => {
          task.title = text;
        };
        if (item.said !== '') item.output(item.said);
        await item.ended;
      },
    })),
    {
      concurrent: true,
      exitOnError: false,
      // The one place that answers signals is the supervisor.
      registerSignalListeners: false,
      renderer: 'default',
      fallbackRenderer: 'simple',
      fallbackRendererCondition: () => plain,
    },
  );
  const finished = list.run().then(() => undefined);
  return {
    finished,
    of: (name) => {
      const item = items.get(name);
      if (item === undefined) throw new TypeError(`no line is named ${name}`);
      return {
        step: (text) => {
          item.said = text;
          item.output(text);
        },
        done: (text) => {
          item.retitle(`${item.title} · ${text}`);
          item.end();
        },
        fail: (text) => item.end(new Error(text)),
      };
    },
  };
}

function newItem(title: string): Item {
  let end: Item['end'] = () => undefined;
  const ended = new Promise<void>((resolve, reject) => {
    end = (fault) => (fault === undefined ? resolve() : reject(fault));
  });
  ended.catch(() => undefined); // Told by the list; without a listener before it runs, Node would end the process.
  return { title, output: () => undefined, retitle: () => undefined, end, ended, said: '' };
}

import { condition, defineQuery, defineSignal, defineUpdate, proxyActivities, setHandler } from '@temporalio/workflow';
import type * as activities from './activities';

const { composeGreeting } = proxyActivities<typeof activities>({ startToCloseTimeout: '10 seconds' });

export const language = defineQuery<string>('language');
export const setLanguage = defineUpdate<string, [string]>('setLanguage');
export const approve = defineSignal('approve');

const SPOKEN = ['English', 'French', 'Spanish'];

/** Greets when it is told to, in a language that can be asked for and changed. */
export async function greeting(name: string): Promise<string> {
  let chosen = 'English';
  let approved = false;
  setHandler(language, () => chosen);
  setHandler(
    setLanguage,
    (next) => {
      const before = chosen;
      chosen = next;
      return before;
    },
    {
      validator: (next) => {
        if (!SPOKEN.includes(next)) throw new Error(`${next} is not spoken here`);
      },
    },
  );
  setHandler(approve, () => {
    approved = true;
  });
  await condition(() => approved);
  return await composeGreeting(chosen, name);
}

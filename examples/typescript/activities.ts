export const GREETINGS: Record<string, string> = { English: 'Hello', French: 'Bonjour', Spanish: 'Hola' };

export async function composeGreeting(language: string, name: string): Promise<string> {
  return `${GREETINGS[language]}, ${name}!`;
}

/** stub */
export async function writeReport(_root: string): Promise<string[]> {
  return []
}

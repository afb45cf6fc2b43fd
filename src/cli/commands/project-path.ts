/** @param project id or name */
export function projectPath(project: string): string {
  return `/projects/${encodeURIComponent(project)}`;
}

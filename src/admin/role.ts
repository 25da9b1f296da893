/**
 * On one host with a few people two are enough: an owner does everything, people included; a viewer sees and changes nothing.
 * A role between them would do all but make owners, and whoever restores backups can make himself one.
 */
export const roles = ['owner', 'viewer'] as const;
export type Role = (typeof roles)[number];

/** A role that a later release made is taken for the one that may do least. */
export function roleOf(text: string): Role {
  return roles.find((role) => role === text) ?? 'viewer';
}

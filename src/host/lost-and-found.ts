/** What lies at the top of a disk of its own, for fsck(8): nobody put it there, and a folder without more is empty. */
export const lostAndFound = 'lost+found';

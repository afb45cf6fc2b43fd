/** Where a link with an invite leads. The invite stands behind `#`, so that no server and no log on the way sees it. */
export const INVITE_PAGE = '/invite';

/** Where a person approves a program that shows a code, which may stand behind `#`. */
export const DEVICE_PAGE = '/device';

/** Where a sign-in in a browser ends that was for nothing else. */
export const SIGNED_IN_PAGE = '/signed-in';

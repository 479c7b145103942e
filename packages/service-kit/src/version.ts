/** The version of all parts, as in package.json; here because a bundle has no package.json beside it. */
export const VERSION = '0.1.0';

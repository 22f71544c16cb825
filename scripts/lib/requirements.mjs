// What the machine must have. Only words that an old Node understands: this file is there to say that it is old.

/** The range of `engines` in package.json: ^20.19.0 || >=22.12.0. */
export function nodeIsNewEnough(version) {
  const [major, minor] = version.split('.').map(Number);
  return (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22;
}

/**
 * Looks for what is missing before anything is installed.
 * @returns {string | undefined} one line that says what to install
 */
export function missingPlatform(platform = process.platform, version = process.versions.node) {
  if (platform !== 'linux') {
    return `interproc: this is ${platform}, and interproc is about Linux: run it on a Linux machine, in a container or under WSL 2`;
  }
  if (!nodeIsNewEnough(version)) {
    return `interproc: this is Node.js ${version}, and 20.19 or later of 20, or 22.12 or later, is needed: install one (https://nodejs.org, or your package manager)`;
  }
  return undefined;
}

'use strict';

/** The functions with an http event: their name in serverless.yml, their definition, and how osls names their resources. */
const functionsOfApi = ({ functions }) =>
  Object.entries(functions)
    .filter(([, { events }]) => events.some(({ http }) => http))
    .map(([name, definition]) => ({ name, definition, id: capitalized(name) }));

const capitalized = (name) =>
  (name.charAt(0).toUpperCase() + name.slice(1)).replaceAll('-', 'Dash').replaceAll('_', 'Underscore');

module.exports = { functionsOfApi };

/** Name of the query that a story's own workflow answers with the state it has folded; null before its facts are loaded. */
export const STATE_QUERY = 'state';

import './steps/install';

/** One of production's own processes, which knows the benchmark's job besides. usage: process <name> */
const [name] = process.argv.slice(2);
if (name === undefined) throw new TypeError('usage: process <ingress | worker | relay>');
void import(`../../workers/${name}.js`);

/**
 * What the local model says, by language (ISO 639-1). `«»` is where the subject goes. Sentences are
 * plain on purpose: they must read easily and hold nothing that a rule could mind.
 */
export interface Phrasebook {
  /** The subject where none was given. */
  readonly something: string;
  /** Says that a word belongs to the text. */
  readonly about: (word: string) => string;
  readonly sentences: readonly string[];
}

const en: Phrasebook = {
  something: 'this idea',
  about: (word) => `A word that belongs here is ${word}.`,
  sentences: [
    'There is a simple reason why people come back to «» again and again.',
    'It does one thing well, and it does not ask for much in return.',
    'Most of us find out what it is worth on a day when time is short.',
    'You can start with very little and see for yourself how far it takes you.',
    'The first steps are easy, and the next ones follow from them.',
    'Nobody has to be an expert to get good results with «».',
    'What matters most is that it keeps working when the day gets long.',
    'Those who made it took care of the small things that are seen only later.',
    'It fits into the home as well as into the place where you work.',
    'If something goes wrong, it is clear what to do about it.',
    'A few minutes of care each week are enough to keep it in good shape.',
    'Friends who try «» for the first time often smile before they speak.',
    'It is made to last, and it can be repaired when it has to be.',
    'There is no trick to it, only good work and a clear plan.',
    'Look at it closely and you will see how the parts help each other.',
    'In the end, «» is there to make an ordinary day a little better.',
  ],
};

const pt: Phrasebook = {
  something: 'esta ideia',
  about: (word) => `Uma palavra que também cabe aqui é ${word}.`,
  sentences: [
    'Há uma razão simples para que as pessoas voltem sempre a «».',
    'Faz bem uma coisa só e não pede muito em troca.',
    'Quase todos nós descobrimos o seu valor num dia em que falta tempo.',
    'Você pode começar com muito pouco e ver até onde consegue chegar.',
    'Os primeiros passos são fáceis, e os outros vêm logo depois.',
    'Ninguém precisa ser especialista para conseguir bons resultados com «».',
    'O que mais importa é que continua a funcionar quando o dia é longo.',
    'Quem fez isto cuidou das pequenas coisas que só se notam mais tarde.',
    'Serve tanto para a casa como para o lugar onde você trabalha.',
    'Se alguma coisa não correr bem, fica claro o que se deve fazer.',
    'Alguns minutos de cuidado por semana bastam para manter tudo em ordem.',
    'No fim, «» existe para tornar um dia comum um pouco melhor.',
  ],
};

const es: Phrasebook = {
  something: 'esta idea',
  about: (word) => `Una palabra que también cabe aquí es ${word}.`,
  sentences: [
    'Hay una razón sencilla por la que la gente vuelve siempre a «».',
    'Hace bien una sola cosa y no pide mucho a cambio.',
    'Casi todos descubrimos lo que vale un día en que falta el tiempo.',
    'Usted puede empezar con muy poco y ver hasta dónde llega.',
    'Los primeros pasos son fáciles, y los demás vienen después.',
    'Nadie necesita ser experto para lograr buenos resultados con «».',
    'Lo que más importa es que sigue funcionando cuando el día es largo.',
    'Quienes lo hicieron cuidaron las cosas pequeñas que solo se ven más tarde.',
    'Sirve tanto para la casa como para el lugar donde usted trabaja.',
    'Si algo sale mal, queda claro lo que hay que hacer.',
    'Unos minutos de cuidado por semana bastan para mantenerlo en orden.',
    'Al final, «» existe para que un día común sea un poco mejor.',
  ],
};

export const PHRASEBOOKS: Readonly<Record<string, Phrasebook>> = { en, pt, es };
export const DEFAULT_PHRASEBOOK = en;

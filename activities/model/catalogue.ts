import type { Config } from '../../src/config';
import { localModel } from './local';
import { openAiModel } from './openai';
import type { Model } from './port';
import { scriptedModel } from './scripted';

/** The models that this process can call, by `modelType`. */
export function openModels(config: Config): ReadonlyMap<string, Model> {
  const named = config.models.map((endpoint): [string, Model] => [endpoint.name, openAiModel(endpoint)]);
  return new Map([...named, ...(config.MODEL_SCRIPTED ? [['scripted', scriptedModel] as const] : []), ['local', localModel]]);
}

/** Their names, as an agent registers them. */
export function modelTypesOf(config: Config): string[] {
  return [...openModels(config).keys()].toSorted();
}

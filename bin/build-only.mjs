// Builds dist/ and no more, for the image.
import { build } from './build.mjs';

build();

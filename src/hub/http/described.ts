/**
 * What the description of the API says of a class or a route, in the words of `@nestjs/swagger`, noted where it is
 * written and told to that package once somebody asks for the description. It and what it needs are a fifth of all files
 * that a hub would load, and most hubs are never asked.
 */
import type * as Swagger from '@nestjs/swagger';

type Kit = Pick<
  typeof Swagger,
  | 'ApiAcceptedResponse'
  | 'ApiBearerAuth'
  | 'ApiCreatedResponse'
  | 'ApiHeader'
  | 'ApiNoContentResponse'
  | 'ApiOkResponse'
  | 'ApiProduces'
  | 'ApiProperty'
  | 'ApiPropertyOptional'
  | 'ApiTags'
>;
type Told = (...given: unknown[]) => (...where: unknown[]) => unknown;

const noted: ((kit: Kit) => void)[] = [];

/** Tells the package all that was noted and not told yet, in the order in which it was written. */
export function describeTo(kit: Kit): void {
  for (const tell of noted.splice(0)) tell(kit);
}

/** A decorator only adds to the metadata of its place, so that it may come later than those beside it. */
function noting<Word extends keyof Kit>(word: Word): Kit[Word] {
  const note: Told =
    (...given) =>
    (...where) => {
      noted.push((kit) => (kit[word] as Told)(...given)(...where));
    };
  return note as Kit[Word];
}

export const ApiAcceptedResponse = noting('ApiAcceptedResponse');
export const ApiBearerAuth = noting('ApiBearerAuth');
export const ApiCreatedResponse = noting('ApiCreatedResponse');
export const ApiHeader = noting('ApiHeader');
export const ApiNoContentResponse = noting('ApiNoContentResponse');
export const ApiOkResponse = noting('ApiOkResponse');
export const ApiProduces = noting('ApiProduces');
export const ApiProperty = noting('ApiProperty');
export const ApiPropertyOptional = noting('ApiPropertyOptional');
export const ApiTags = noting('ApiTags');

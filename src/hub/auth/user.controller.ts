import { Body, Controller, Delete, Get, Header, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import {
  ApiCreatedResponse,
  ApiHeader,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiTags,
} from '../http/described.js';
import { readPage } from '../http/page.js';
import { Person } from './access.js';
import { Acting, type Actor } from './actor.js';
import {
  CreatedPersonalTokenDto,
  CreatePersonalTokenDto,
  PersonalTokenDto,
} from './dto/personal-token.dto.js';
import { CreateUserDto, ListUsersQuery, UpdateUserDto, UserDto, UserPageDto } from './dto/user.dto.js';
import { CreatedInviteDto, CreateInviteDto } from './dto/invite.dto.js';
import { Invites } from './invites.js';
import { PersonalTokens } from './personal-tokens.js';
import { RequestKey, type Idempotency } from './request-key.js';
import { Sessions } from './sessions.js';
import { Users } from './users.js';

@ApiTags('users')
@Person('admin')
@Controller('api/v1/users')
export class UserController {
  constructor(
    private readonly users: Users,
    private readonly tokens: PersonalTokens,
    private readonly invites: Invites,
    private readonly sessions: Sessions,
  ) {}

  @Post()
  @ApiHeader({ name: 'Idempotency-Key', required: false })
  @ApiCreatedResponse({ type: UserDto })
  async create(
    @Body() body: CreateUserDto,
    @Acting() actor: Actor,
    @RequestKey() key: Idempotency | undefined,
  ): Promise<UserDto> {
    return UserDto.of(await this.users.create(body, actor, key));
  }

  @Get()
  @ApiOkResponse({ type: UserPageDto, description: 'Newest first.' })
  async list(@Query() query: ListUsersQuery): Promise<UserPageDto> {
    const filter = { role: query.role ?? null, withDisabled: query.disabled };
    const listName = `users ${JSON.stringify(filter)}`;
    const { rows, nextCursor } = await readPage(listName, query, (before, limit) =>
      this.users.list(before, filter, limit),
    );
    return { items: rows.map((row) => UserDto.of(row)), nextCursor };
  }

  @Get(':user')
  @ApiOkResponse({ type: UserDto })
  async get(@Param('user') user: string): Promise<UserDto> {
    return UserDto.of(await this.users.get(user));
  }

  @Patch(':user')
  @ApiOkResponse({ type: UserDto })
  async update(
    @Param('user') user: string,
    @Body() body: UpdateUserDto,
    @Acting() actor: Actor,
  ): Promise<UserDto> {
    return UserDto.of(await this.users.update(user, UpdateUserDto.toChange(body), actor));
  }

  /** What somebody did stays on record under their name, so nobody is removed. */
  @Delete(':user')
  @HttpCode(200)
  @ApiOkResponse({ type: UserDto, description: 'It is let in no more; all its tokens are good for nothing.' })
  async disable(@Param('user') user: string, @Acting() actor: Actor): Promise<UserDto> {
    return UserDto.of(await this.users.disable(user, actor));
  }

  @Post(':user/enable')
  @HttpCode(200)
  @ApiOkResponse({ type: UserDto, description: 'It is let in again.' })
  async enable(@Param('user') user: string, @Acting() actor: Actor): Promise<UserDto> {
    return UserDto.of(await this.users.enable(user, actor));
  }

  /** With it the user sets a password, once; those that were made before are good no more. */
  @Post(':user/invites')
  @Header('cache-control', 'no-store')
  @ApiCreatedResponse({ type: CreatedInviteDto })
  async invite(
    @Param('user') user: string,
    @Body() { expiresInS }: CreateInviteDto,
    @Acting() actor: Actor,
  ): Promise<CreatedInviteDto> {
    const invite = await this.invites.create(await this.users.idOf(user), expiresInS, actor);
    return { ...invite, expiresAt: invite.expiresAt.toISOString() };
  }

  @Delete(':user/sessions')
  @HttpCode(204)
  @ApiNoContentResponse({ description: 'All sessions of the user have ended, everywhere within a second.' })
  async endSessions(@Param('user') user: string, @Acting() actor: Actor): Promise<void> {
    const { id } = await this.users.get(user);
    await this.sessions.endAll(id, actor);
  }

  /** For a program that works under a name of its own. */
  @Post(':user/tokens')
  @Header('cache-control', 'no-store')
  @ApiCreatedResponse({ type: CreatedPersonalTokenDto })
  async createToken(
    @Param('user') user: string,
    @Body() body: CreatePersonalTokenDto,
    @Acting() actor: Actor,
  ): Promise<CreatedPersonalTokenDto> {
    const { token, ...row } = await this.tokens.create(
      await this.users.idOf(user),
      CreatePersonalTokenDto.toOptions(body),
      actor,
    );
    return { ...PersonalTokenDto.of(row), token };
  }
}

/**
 * What is wrong with this installation, and what is to be done about it?
 *
 * Not a part of a running hub: `fairlead doctor` looks from outside, with the configuration that a hub would have, and
 * works just as well where a hub does not start. It reads and never mends. The one thing that it starts is the
 * embedded server, where its database exists already and no hub runs; it is stopped afterwards.
 *
 * Each finding has a code, a severity, what is wrong and what to do. Where one thing cannot be looked at, since
 * another one is broken, it is named as not looked at, and never passed for well.
 */
export {};

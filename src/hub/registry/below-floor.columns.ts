/**
 * Whether a broker may be given no new work in a project, of columns of the tables `broker` and `project`. A version that
 * could not be read compares as unknown, and unknown is below every floor.
 */
export const BELOW_FLOOR = `(
      project.min_broker_major is not null
      and ((broker.version_major, broker.version_minor)
           >= (project.min_broker_major, project.min_broker_minor)) is not true
    )`;

import { Check, Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('move_budget')
@Check('move_budget_has_one_row', 'is_the_one')
export class MoveBudgetEntity {
  @PrimaryColumn('boolean', { name: 'is_the_one', primaryKeyConstraintName: 'move_budget_is_one' })
  isTheOne: boolean;

  /** From when on the next broker may be asked to move. */
  @Column('timestamptz', { name: 'free_at' })
  freeAt: Date;
}

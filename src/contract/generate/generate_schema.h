/* generate_schema.h - values of a contract as JSON Schema, under the names by
 * which an OpenAPI document refers to them:
 *     state.TYPE entity.TYPE events.TYPE step.TYPE.STEP view.TYPE.VIEW
 *     record.RECORD saga.SAGA
 * Each function appends members to an open object. */

#ifndef CONTRACT_GENERATE_GENERATE_SCHEMA_H
#define CONTRACT_GENERATE_GENERATE_SCHEMA_H

#include "contract/generate/generate.h"

/* Errors, problems, lists, and what else has one form for all types. */
void schema_common(struct buffer *out);
void schema_record(const struct tree_record *record, struct buffer *out);
void schema_entity(const struct tree_entity *entity,
                   const struct program *program, struct buffer *out);
void schema_saga(const struct tree_saga *saga, struct buffer *out);

#endif /* CONTRACT_GENERATE_GENERATE_SCHEMA_H */

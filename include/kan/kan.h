/* kan/kan.h - all of libkan.
 *
 * One header for each noun; this one includes them all. */

#ifndef KAN_KAN_H
#define KAN_KAN_H

#include <kan/actor.h>
#include <kan/base.h>
#include <kan/lock.h>
#include <kan/loop.h>
#include <kan/model.h>
#include <kan/property.h>
#include <kan/record.h>
#include <kan/state.h>

#endif /* KAN_KAN_H */

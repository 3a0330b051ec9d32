#ifndef LINNET_PIN_H
#define LINNET_PIN_H

/* How many pins this thread holds. */
extern _Thread_local int lnt_pin_depth;

#endif

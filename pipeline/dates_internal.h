/* dates_internal.h -- what the date files share. */
#ifndef SLUICE_DATES_INTERNAL_H
#define SLUICE_DATES_INTERNAL_H

#include <sluice/dates.h>

/* Days of a month, 1..12, of a year. */
int sl_month_days(int year, int month);

/* The days of a year (month 0), a month (day 0) or a day. */
struct sl_day_range sl_days_of(int year, int month, int day);

#endif

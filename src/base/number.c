/* Numbers as text, by hand: the C library's parsers take spaces, signs and
 * locales that a strict format does not. */

#include "base/number.h"

#include "base/bytes.h"

/* number * factor + add into *number; false when it does not fit. */
static bool scale(uint64_t *number, uint64_t factor, uint64_t add)
{
    uint64_t product;
    return !__builtin_mul_overflow(*number, factor, &product) &&
           !__builtin_add_overflow(product, add, number);
}

/* The digits that text begins with; how many there are goes to *ret_digits.
 * false when they do not fit. */
static bool leading_digits(struct kan_slice text, uint64_t *ret_number,
                           size_t *ret_digits)
{
    uint64_t number = 0;
    size_t at = 0;

    for (; at < text.size; at++) {
        unsigned digit = (unsigned)slice_at(text, at) - '0';
        if (digit > 9)
            break;
        if (!scale(&number, 10, digit))
            return false;
    }
    *ret_number = number;
    *ret_digits = at;
    return true;
}

enum kan_err number_u64(struct kan_slice text, uint64_t *ret_number)
{
    uint64_t number;
    size_t digits;

    if (!leading_digits(text, &number, &digits) || digits == 0 ||
        digits != text.size)
        return KAN_INVALID;
    *ret_number = number;
    return KAN_OK;
}

enum kan_err number_i64(struct kan_slice text, int64_t *ret_number)
{
    uint64_t magnitude;
    bool minus = text.size > 0 && slice_at(text, 0) == '-';
    bool plus = text.size > 0 && slice_at(text, 0) == '+';

    if (number_u64(slice_skip(text, minus || plus), &magnitude) != KAN_OK ||
        magnitude > (uint64_t)INT64_MAX + minus)
        return KAN_INVALID;
    /* Negated as unsigned, where -2^63 exists too. */
    *ret_number = (int64_t)(minus ? 0 - magnitude : magnitude);
    return KAN_OK;
}

enum kan_err number_hex(struct kan_slice text, uint64_t *ret_number)
{
    uint64_t number = 0;

    if (text.size == 0)
        return KAN_INVALID;
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = slice_at(text, i);
        unsigned digit;
        if (c >= '0' && c <= '9')
            digit = c - '0';
        else if (c >= 'a' && c <= 'f')
            digit = c - 'a' + 10;
        else if (c >= 'A' && c <= 'F')
            digit = c - 'A' + 10;
        else
            return KAN_INVALID;
        if (!scale(&number, 16, digit))
            return KAN_INVALID;
    }
    *ret_number = number;
    return KAN_OK;
}

enum kan_err number_quantity(struct kan_slice text, uint64_t *ret_bytes)
{
    static const struct
    {
        const char *suffix;
        uint64_t factor;
    } units[] = {
        {"", 1},
        {"k", 1000},
        {"M", 1000000},
        {"G", 1000000000},
        {"Ki", UINT64_C(1) << 10},
        {"Mi", UINT64_C(1) << 20},
        {"Gi", UINT64_C(1) << 30},
    };
    uint64_t number;
    size_t digits;

    if (!leading_digits(text, &number, &digits) || digits == 0)
        return KAN_INVALID;
    struct kan_slice suffix = slice_skip(text, digits);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (!slice_equal(suffix, kan_text(units[i].suffix)))
            continue;
        if (!scale(&number, units[i].factor, 0))
            return KAN_INVALID;
        *ret_bytes = number;
        return KAN_OK;
    }
    return KAN_INVALID;
}

/* The unit that text begins with, in nanoseconds, and its size; 0 if none. */
static uint64_t leading_unit(struct kan_slice text, size_t *ret_size)
{
    static const struct
    {
        const char *unit;
        uint64_t ns;
    } units[] = {
        {"ns", 1},
        {"us", 1000},
        {"\xc2\xb5s", 1000}, /* U+00B5, micro sign */
        {"\xce\xbcs", 1000}, /* U+03BC, Greek mu */
        {"ms", 1000000},
        {"s", 1000000000},
        {"m", UINT64_C(60) * 1000000000},
        {"h", UINT64_C(3600) * 1000000000},
    };
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        struct kan_slice unit = kan_text(units[i].unit);
        if (slice_starts(text, unit)) {
            *ret_size = unit.size;
            return units[i].ns;
        }
    }
    return 0;
}

/* What the digits behind a point are worth in a unit of ns; finer digits than
 * a nanosecond are dropped. */
static uint64_t fraction(struct kan_slice digits, uint64_t unit_ns)
{
    uint64_t number = 0;
    uint64_t power = 1;

    /* Fourteen digits: an hour in nanoseconds has thirteen. */
    for (size_t i = 0; i < digits.size && i < 14; i++) {
        number = number * 10 + (slice_at(digits, i) - (uint64_t)'0');
        power *= 10;
    }
    return (uint64_t)((unsigned __int128)number * unit_ns / power);
}

/* Take one "1.5s" off the front of *rest and add it to *ns. */
static bool duration_part(struct kan_slice *rest, uint64_t *ns)
{
    uint64_t whole;
    size_t whole_digits;
    struct kan_slice behind_point = kan_slice(NULL, 0);
    size_t unit_size = 0;

    if (!leading_digits(*rest, &whole, &whole_digits))
        return false;
    *rest = slice_skip(*rest, whole_digits);
    if (rest->size > 0 && slice_at(*rest, 0) == '.') {
        *rest = slice_skip(*rest, 1);
        size_t n = 0;
        while (n < rest->size && slice_at(*rest, n) >= '0' &&
               slice_at(*rest, n) <= '9')
            n++;
        behind_point = slice_head(*rest, n);
        *rest = slice_skip(*rest, n);
    }
    if (whole_digits + behind_point.size == 0)
        return false;
    uint64_t unit = leading_unit(*rest, &unit_size);
    if (unit == 0 || !scale(&whole, unit, fraction(behind_point, unit)))
        return false;
    *rest = slice_skip(*rest, unit_size);
    return scale(ns, 1, whole);
}

enum kan_err number_duration(struct kan_slice text, uint64_t *ret_ns)
{
    uint64_t ns = 0;
    struct kan_slice rest = text;

    if (text.size == 0)
        return KAN_INVALID;
    if (slice_equal(text, SLICE("0")))
        rest = kan_slice(NULL, 0);
    while (rest.size > 0) {
        if (!duration_part(&rest, &ns))
            return KAN_INVALID;
    }
    if (ns > INT64_MAX)
        return KAN_INVALID;
    *ret_ns = ns;
    return KAN_OK;
}

enum kan_err number_bool(struct kan_slice text, bool *ret_value)
{
    static const char *const words[2][4] = {
        {"false", "f", "0", "no"},
        {"true", "t", "1", "yes"},
    };
    for (int value = 0; value < 2; value++) {
        for (int i = 0; i < 4; i++) {
            if (slice_equal_nocase(text, kan_text(words[value][i]))) {
                *ret_value = value == 1;
                return KAN_OK;
            }
        }
    }
    return KAN_INVALID;
}

void number_pack(uint64_t number, unsigned char out[8])
{
    for (int i = 7; i >= 0; i--) {
        out[i] = (unsigned char)number;
        number >>= 8;
    }
}

uint64_t number_unpack(const unsigned char in[8])
{
    uint64_t number = 0;
    for (int i = 0; i < 8; i++)
        number = number << 8 | in[i];
    return number;
}

/* Write number with exactly that many digits at out; returns behind them. */
static char *put_digits(char *out, uint64_t number, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        out[i] = (char)('0' + number % 10);
        number /= 10;
    }
    return out + digits;
}

void number_time(uint64_t ms, bool millis, char out[NUMBER_TIME_SIZE])
{
    static const uint64_t ms_max = UINT64_C(253402300799999);
    if (ms > ms_max)
        ms = ms_max;
    uint64_t seconds = ms / 1000;
    uint64_t second = seconds % 86400;
    uint64_t days = seconds / 86400;

    /* Days to a date of the Gregorian calendar, counted in years that begin
     * in March, so that the leap day is a year's last. 719,468 days lie
     * between 0000-03-01 and 1970-01-01; an era is 400 years. */
    uint64_t z = days + 719468;
    uint64_t era = z / 146097;
    uint64_t day = z % 146097;
    uint64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    day -= 365 * year + year / 4 - year / 100;
    uint64_t month = (5 * day + 2) / 153;
    day = day - (153 * month + 2) / 5 + 1;
    month = month < 10 ? month + 3 : month - 9;
    year += era * 400 + (month <= 2);

    char *p = put_digits(out, year, 4);
    *p++ = '-';
    p = put_digits(p, month, 2);
    *p++ = '-';
    p = put_digits(p, day, 2);
    *p++ = 'T';
    p = put_digits(p, second / 3600, 2);
    *p++ = ':';
    p = put_digits(p, second / 60 % 60, 2);
    *p++ = ':';
    p = put_digits(p, second % 60, 2);
    if (millis || ms % 1000) {
        *p++ = '.';
        p = put_digits(p, ms % 1000, 3);
    }
    *p++ = 'Z';
    *p = 0;
}

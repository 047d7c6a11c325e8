/* Names, texts and classes of statuses, all from the one list in kan/base.h. */

#include <kan/base.h>

#include "base/version.h"

const char *kan_err_name(enum kan_err err)
{
    switch (err) {
    case KAN_OK:
        return "OK";
#define ERR_NAME(name, number, class, text) \
    case KAN_##name:                        \
        return #name;
        KAN_ERR_MAP(ERR_NAME)
#undef ERR_NAME
    }
    return "?";
}

const char *kan_err_text(enum kan_err err)
{
    switch (err) {
    case KAN_OK:
        return "no error";
#define ERR_TEXT(name, number, class, text) \
    case KAN_##name:                        \
        return text;
        KAN_ERR_MAP(ERR_TEXT)
#undef ERR_TEXT
    }
    return "a status that this version does not know";
}

enum kan_err_class kan_err_class(enum kan_err err)
{
    switch (err) {
    case KAN_OK:
        return KAN_CLASS_OK;
#define ERR_CLASS(name, number, class, text) \
    case KAN_##name:                         \
        return KAN_CLASS_##class;
        KAN_ERR_MAP(ERR_CLASS)
#undef ERR_CLASS
    }
    return KAN_CLASS_BROKEN;
}

const char *kan_version(void)
{
    return KAN_VERSION_TEXT;
}

/* Any bytes as the file of a shared object: either refused with a reason, or
 * readable to the end. Nothing of it is loaded. */

#include <stdlib.h>

#include "base/bytes.h"
#include "block/actor/module_elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct module_elf elf;
    struct buffer why = BUFFER_INIT;
    char name[MODULE_NAME_MAX];
    enum kan_err err = module_elf_check(&elf, kan_slice(data, size), &why);

    if ((err == KAN_OK) != (why.size == 0))
        abort();
    for (uint32_t i = 0; err == KAN_OK && i < elf.segment_count; i++) {
        uint64_t start = elf.segments[i].p_vaddr;
        for (uint64_t at = start; at - start < 256; at += 8)
            (void)module_elf_object(&elf, at, name);
    }
    buffer_fini(&why);
    return 0;
}

// The same from C++17, with a loop of its own and callbacks.

#include <kan/kan.h>

#include <cstdio>
#include <string>

namespace {

struct answer {
    bool done = false;
    kan_err err = KAN_OK;
    std::string value;
};

void on_put(kan_write *write, kan_err err)
{
    auto *got = static_cast<answer *>(write->data);
    got->done = true;
    got->err = err;
}

void on_get(kan_get *get, kan_err err)
{
    auto *got = static_cast<answer *>(get->data);
    got->done = true;
    got->err = err;
    if (err == KAN_OK && get->items[0].revision)
        got->value.assign(static_cast<const char *>(get->items[0].value.bytes),
                          get->items[0].value.size);
}

void on_closed(void *data)
{
    *static_cast<bool *>(data) = true;
}

kan_err wait(kan_loop *loop, answer &got)
{
    while (!got.done)
        kan_loop_run(loop, KAN_LOOP_ONCE);
    got.done = false;
    return got.err;
}

}  // namespace

int main(int argc, char **argv)
{
    kan_store_options options{};
    kan_loop *loop = nullptr;
    kan_causal store{};
    answer got;
    kan_write write{};
    kan_get get{};
    struct kan_slice key = kan_text("cpp");
    char why[256] = "";
    bool closed = false;
    int failures = 0;

    options.path = argc > 1 ? argv[1] : "data";
    if (kan_loop_new(&loop) != KAN_OK)
        return 1;
    if (kan_causal_open(loop, &options, why, sizeof why, &store) != KAN_OK) {
        std::fprintf(stderr, "%s\n", why);
        return 1;
    }
    write.data = &got;
    write.key = key;
    write.value = kan_text("value");
    failures += kan_causal_put_async(store, &write, on_put) != KAN_OK;
    failures += wait(loop, got) != KAN_OK;
    get.data = &got;
    get.keys = &key;
    get.key_count = 1;
    failures += kan_causal_get_async(store, &get, on_get) != KAN_OK;
    failures += wait(loop, got) != KAN_OK;
    failures += got.value != "value";
    kan_causal_close_async(store, &closed, on_closed);
    while (!closed)
        kan_loop_run(loop, KAN_LOOP_ONCE);
    kan_loop_free(loop);
    return failures;
}

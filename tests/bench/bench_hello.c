/* SPDX-License-Identifier: MIT
 * bench_hello: the least that civetweb can do, with hedged's own server
 * options: reads the body and answers a fixed text. The peer of POST /hedge. */
#include <civetweb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static int hello(struct mg_connection *connection)
{
    static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                "Content-Length: 15\r\nConnection: keep-alive\r\n\r\n"
                                "{\"hello\":\"you\"}";
    char body[4096];

    while (mg_read(connection, body, sizeof(body)) > 0) {
    }
    mg_write(connection, reply, strlen(reply));
    return 200;
}

int main(int argc, char **argv)
{
    const struct mg_callbacks callbacks = {.begin_request = hello};
    const char *options[] = {"listening_ports",
                             argc > 1 ? argv[1] : "",
                             "num_threads",
                             "512",
                             "enable_keep_alive",
                             "yes",
                             "keep_alive_timeout_ms",
                             "15000",
                             "request_timeout_ms",
                             "2000",
                             "tcp_nodelay",
                             "1",
                             "max_request_size",
                             "16384",
                             NULL};
    struct mg_context *context;
    sigset_t signals;
    int signal;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    mg_init_library(0);
    context = mg_start(&callbacks, NULL, options);
    if (argc != 2 || context == NULL) {
        fprintf(stderr, "usage: bench_hello 127.0.0.1:PORT\n");
        return 2;
    }
    sigwait(&signals, &signal);
    mg_stop(context);
    return 0;
}

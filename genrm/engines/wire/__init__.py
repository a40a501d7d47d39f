"""What every engine behind a network needs: a client, and how to live with a server that is slow, busy or down."""

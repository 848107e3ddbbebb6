"""The portal: pages for people, one folder for each audience. Texts and layout only, no queries."""

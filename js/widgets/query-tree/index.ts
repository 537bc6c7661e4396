/** `QueryTreeView`: the live tree of queries. */

import { widget } from "../../shared/mount";
import "./style.css";
import { create } from "./view";

export default widget(create);
